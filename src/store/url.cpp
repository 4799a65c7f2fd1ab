#include "store/url.hpp"

#include <fmt/format.h>

namespace planexe::store {
namespace {

constexpr std::string_view kSqlite = "sqlite:///";
constexpr std::string_view kPostgresql[] = {"postgresql://", "postgres://", "postgresql+psycopg2://"};

Result<DatabaseUrl> sqlite_url(std::string_view path, const std::filesystem::path& data_dir) {
  if (path.empty() || path == ":memory:") {
    return fail(ErrorCode::InvalidConfig,
                "DATABASE_URL names no database file. Write sqlite:///planexe.db or sqlite:////absolute/path.db.");
  }
  if (path.find('\0') != std::string_view::npos || path.find('?') != std::string_view::npos) {
    return fail(ErrorCode::InvalidConfig, "DATABASE_URL must name a plain file, without '?' and options.");
  }
  const std::filesystem::path file(path);
  return DatabaseUrl{sql::Dialect::sqlite, (file.is_absolute() ? file : data_dir / file).lexically_normal(), {}};
}

}  // namespace

Result<DatabaseUrl> parse_database_url(std::string_view url, const std::filesystem::path& data_dir) {
  if (url.starts_with(kSqlite)) return sqlite_url(url.substr(kSqlite.size()), data_dir);
  for (const auto prefix : kPostgresql) {
    if (!url.starts_with(prefix)) continue;
    return DatabaseUrl{sql::Dialect::postgresql, {}, fmt::format("{}{}", kPostgresql[0], url.substr(prefix.size()))};
  }
  return fail(ErrorCode::InvalidConfig,
              fmt::format("DATABASE_URL starts with \"{}\"; it must start with sqlite:/// or postgresql://.",
                          url.substr(0, std::min(url.find(':'), std::size_t{20}))));
}

}  // namespace planexe::store
