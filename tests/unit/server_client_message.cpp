#include <gtest/gtest.h>

#include "server/progress/client_message.hpp"

namespace planexe::server {
namespace {

TEST(ServerClientMessage, WhatAClientMayWant) {
  EXPECT_EQ(read_client_message(R"({"type":"ping"})"), ClientMessage::heartbeat);
  EXPECT_EQ(read_client_message(R"( { "x":[1,{"type":"snapshot"}], "type" : "p\u0069ng" } )"),
            ClientMessage::heartbeat);
  EXPECT_EQ(read_client_message(R"({"type":"snapshot"})"), ClientMessage::snapshot);
  EXPECT_EQ(read_client_message(R"({"type":"heartbeat_response","timestamp":"x"})"), ClientMessage::nothing);
  EXPECT_EQ(read_client_message(R"({"type":"command","command":"stop"})"), ClientMessage::nothing)
      << "commands have no effect";
}

TEST(ServerClientMessage, EverythingElseIsMalformed) {
  for (const char* bad : {"",
                          " ",
                          "ping",
                          "{",
                          "{}",
                          "[]",
                          "null",
                          "1",
                          R"("ping")",
                          R"({"type":1})",
                          R"({"type":null})",
                          R"({"type":""})",
                          R"({"type":"Ping"})",
                          R"({"type":"ping "})",
                          R"({"type":["ping"]})",
                          R"({"Type":"ping"})",
                          R"({"type":"ping"}x)",
                          R"({"type":"ping"}{"type":"ping"})",
                          R"({"type":"ping","type":"snapshot"})",
                          R"({'type':'ping'})",
                          R"({"type":"ping",})",
                          "\xff",
                          R"({"type":"\ud800"})",
                          R"({"type":"delete"})",
                          "\xef\xbb\xbf{\"type\":\"ping\"}"})
    EXPECT_EQ(read_client_message(bad), ClientMessage::malformed) << bad;
  EXPECT_EQ(read_client_message(std::string_view("{\"type\":\"ping\0\"}", 16)), ClientMessage::malformed);
  EXPECT_EQ(read_client_message(std::string(2000, '[') + std::string(2000, ']')), ClientMessage::malformed);
}

}  // namespace
}  // namespace planexe::server
