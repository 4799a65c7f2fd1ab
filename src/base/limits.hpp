#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// The limits that several layers share, each with its reason. Limits of one component stand beside it.
namespace planexe::limits {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

/// The HTTP contract's nesting; deeper input is an attack on recursion, no plan.
inline constexpr std::size_t kJsonDepthMax = 64;
/// One JSON text: the biggest artefact of a real plan has about 1 MiB, an imported one may be much larger.
inline constexpr std::size_t kJsonBytesMax = 64 * kMiB;
/// A key is a field name; longer ones are data in the wrong place.
inline constexpr std::size_t kJsonKeyBytesMax = 64 * kKiB;

/// The HTTP contract's prompt: long enough for a prompt that an intake dialogue has enriched.
inline constexpr std::size_t kPromptCharsMax = 50'000;
/// An id in a path.
inline constexpr std::size_t kIdCharsMax = 128;
/// An error's first line, as clients show it.
inline constexpr std::size_t kErrorMessageCharsMax = 200;

/// Files that people write by hand: settings, recipes, catalogues.
inline constexpr std::uint64_t kConfigFileBytesMax = 4 * kMiB;

/// A real run has about 110 files; ten thousand leaves room for items without letting an archive exhaust memory.
inline constexpr std::size_t kZipEntriesMax = 10'000;
/// One file of a run: the report with everything in it stays below 10 MiB.
inline constexpr std::uint64_t kZipEntryBytesMax = 64 * kMiB;
/// A whole run unpacked: real ones have 10 to 20 MiB.
inline constexpr std::uint64_t kZipTotalBytesMax = 512 * kMiB;
/// Names of a run are below 100 bytes; paths beyond this cannot be unpacked everywhere.
inline constexpr std::size_t kZipNameBytesMax = 1024;

/// One line of a log; a longer one is cut, since nobody reads it and it could fill a disk.
inline constexpr std::size_t kLogLineBytesMax = 16 * kKiB;
/// Secrets that are masked in logs: keys and tokens of one configuration.
inline constexpr std::size_t kSecretsMax = 256;
/// A shorter value would mask ordinary words.
inline constexpr std::size_t kSecretCharsMin = 6;

/// One line of a child's output; children print short status lines.
inline constexpr std::size_t kChildLineBytesMax = 64 * kKiB;
/// How long a child may take to end after SIGTERM before SIGKILL.
inline constexpr std::chrono::milliseconds kChildGrace{2000};

}  // namespace planexe::limits
