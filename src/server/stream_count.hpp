#pragma once

namespace planexe::server {

/// Streams that are open: sockets and event streams together. On the loop's thread.
class StreamCount {
 public:
  explicit StreamCount(int most) : most_(most) {}

  /// A place, given back when it is destroyed; not granted when all are taken.
  class Place {
   public:
    explicit Place(StreamCount& count) : count_(count.open_ < count.most_ ? &count : nullptr) {
      if (count_ != nullptr) ++count_->open_;
    }
    ~Place() {
      if (count_ != nullptr) --count_->open_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    [[nodiscard]] bool granted() const { return count_ != nullptr; }

   private:
    StreamCount* count_;
  };

  [[nodiscard]] int open() const { return open_; }

 private:
  int most_;
  int open_ = 0;
};

}  // namespace planexe::server
