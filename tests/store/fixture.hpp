#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/sql.hpp"
#include "store/store.hpp"

namespace planexe::store::test {

using namespace std::chrono_literals;

/// One empty database of some kind, for one test.
class Backend {
 public:
  virtual ~Backend() = default;
  /// Opens it as the program would.
  [[nodiscard]] virtual OpenOptions options() const = 0;
  /// Another connection, for looking behind the store. Closed before the backend ends.
  virtual std::unique_ptr<sql::Connection> connect() = 0;
};

/// The kinds of databases that the contract suite runs on: one entry per kind that this machine has.
struct BackendKind {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;  ///< without tables

  friend std::ostream& operator<<(std::ostream& out, const BackendKind& kind) { return out << kind.name; }
};
std::vector<BackendKind> backend_kinds();
std::unique_ptr<Backend> sqlite_backend();
std::unique_ptr<Backend> postgresql_backend();

/// A contract test: a store on a fresh database of each kind.
class StoreContract : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override;
  /// Closes the store and opens it again: what is read then was on the disk.
  void reopen();
  Store& store() { return *store_; }
  Backend& backend() { return *backend_; }
  std::int64_t count(const std::string& statement);

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

/// Opens or fails the test.
std::unique_ptr<Store> open_or_die(const OpenOptions& options);

TimePoint at(int second);

/// Plans with every field set to a value of its own.
PlanRow full_plan(const std::string& plan_id);
TaskRow full_task(const std::string& key);
ItemRow full_item(const std::string& task, const std::string& key);
InteractionRow full_interaction(std::int64_t id, const std::string& plan_id);
ContentRow text_file(const std::string& name, const std::string& text, const std::string& input_hash = "h");
TextBlock block(const std::string& text);

/// A plan that needs nothing else.
PlanRow small_plan(const std::string& plan_id);

Transaction transaction(const std::string& plan_id, std::vector<Write> writes,
                        std::optional<std::int64_t> fencing = std::nullopt);

/// Commits and expects success.
void put(Store& store, Transaction transaction);
void create(Store& store, const std::string& plan_id);
/// Takes the lease and gives its fencing number.
std::int64_t lease(Store& store, const std::string& plan_id, const std::string& owner,
                   std::chrono::milliseconds ttl = 15s, bool force = false);

/// The value, or a failed expectation and an empty one.
template <class T>
T value_of(Result<T> result) {
  if (!result) ADD_FAILURE() << to_string(result.error());
  if constexpr (!std::is_void_v<T>) return result ? *std::move(result) : T{};
}

/// The optional's value, or a failed expectation and an empty one.
template <class T>
T must(Result<std::optional<T>> result) {
  auto maybe = value_of(std::move(result));
  if (maybe) return *std::move(maybe);
  ADD_FAILURE() << "nothing was found";
  return T{};
}

}  // namespace planexe::store::test
