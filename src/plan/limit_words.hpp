#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// A place where a banned word stands.
struct BannedHit {
  std::string word;
  std::string sentence;
  bool mention = false;  ///< the ban is repeated or obeyed, for example "no VR", not broken
};

/// The words that the user bans: limits of kind banned_word, lists such as "VR, AR/NFT" split.
std::vector<std::string> banned_words(const std::vector<std::string>& statements);

/// All hits in a sentence. A hit is a mention when a denying or forbidding word (of the common European languages or
/// Chinese) stands shortly before or behind it, or when the sentence quotes one of `statements`. Short words in
/// capitals match only in capitals.
std::vector<BannedHit> banned_hits(std::string_view sentence, const std::vector<std::string>& banned,
                                   const std::vector<std::string>& statements);

}  // namespace planexe::plan
