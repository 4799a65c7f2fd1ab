#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/subprocess.hpp"

namespace planexe {
namespace {

using namespace std::chrono_literals;

SubprocessOptions shell(std::string script) {
  SubprocessOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", std::move(script)};
  return options;
}

TEST(BaseSubprocess, LinesAndStatus) {
  auto child = Subprocess::start(shell("echo one; echo; printf last; exit 7"));
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->read_line(5s).value(), "one");
  EXPECT_EQ(child->read_line(5s).value(), "");
  EXPECT_EQ(child->read_line(5s).value(), "last");
  EXPECT_EQ(child->read_line(5s).value(), std::nullopt);
  EXPECT_EQ(child->wait(5s).value(), 7);
  EXPECT_EQ(child->poll_exit(), 7);
}

TEST(BaseSubprocess, TheEnvironmentIsAnAllowList) {
  ASSERT_EQ(::setenv("PLANEXE_TEST_SECRET_KEY", "hidden", 1), 0);
  auto options = shell("env");
  options.allowed_environment = {"PATH"};
  options.extra_environment = {{"GIVEN", "value"}};
  auto child = Subprocess::start(options);
  ASSERT_TRUE(child.has_value());
  std::vector<std::string> lines;
  for (auto line = child->read_line(5s).value(); line; line = child->read_line(5s).value()) lines.push_back(*line);
  ::unsetenv("PLANEXE_TEST_SECRET_KEY");
  EXPECT_THAT(lines, testing::Contains("GIVEN=value"));
  for (const auto& line : lines) EXPECT_EQ(line.find("hidden"), std::string::npos);
}

TEST(BaseSubprocess, DescriptorsAreNotInherited) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  auto child = Subprocess::start(
      shell("test -e /proc/self/fd/" + std::to_string(pipe_ends[1]) + " && echo open || echo closed"));
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->read_line(5s).value(), "closed");
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST(BaseSubprocess, AMissingProgramIsAnErrorWithItsName) {
  SubprocessOptions options;
  options.program = "/no/such/program";
  const auto child = Subprocess::start(options);
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error().code, ErrorCode::IoError);
  EXPECT_NE(child.error().message.find("/no/such/program: No such file"), std::string::npos);
}

TEST(BaseSubprocess, DeadlinesPass) {
  auto child = Subprocess::start(shell("read line < /dev/zero; :"));
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->read_line(20ms).error().code, ErrorCode::Timeout);
  EXPECT_EQ(child->wait(20ms).error().code, ErrorCode::Timeout);
  EXPECT_EQ(child->poll_exit(), std::nullopt);
}

TEST(BaseSubprocess, TerminateAsksFirstThenKills) {
  auto polite = Subprocess::start(shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"));
  ASSERT_TRUE(polite.has_value());
  EXPECT_EQ(polite->read_line(5s).value(), "ready");
  EXPECT_EQ(polite->terminate(5s), 5);
  auto stubborn = Subprocess::start(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
  ASSERT_TRUE(stubborn.has_value());
  EXPECT_EQ(stubborn->read_line(5s).value(), "ready");
  EXPECT_EQ(stubborn->terminate(50ms), 128 + SIGKILL);
}

TEST(BaseSubprocess, AnEndlessLineIsRefused) {
  auto child = Subprocess::start(shell("head -c 200000 /dev/zero"));
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->read_line(5s).error().code, ErrorCode::LimitExceeded);
}

TEST(BaseSubprocess, TheDestructorEndsTheChild) {
  pid_t pid = 0;
  {
    auto child = Subprocess::start(shell("echo ready; exec sleep 600"));
    ASSERT_TRUE(child.has_value());
    ASSERT_EQ(child->read_line(5s).value(), "ready");
    pid = child->pid();
    EXPECT_EQ(::getpgid(pid), pid) << "its own process group";
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace planexe
