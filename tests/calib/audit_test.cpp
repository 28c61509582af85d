// SPDX-License-Identifier: Apache-2.0
// SHA-256 against the vectors of FIPS 180, and the audit ring against tampering.
#include <gtest/gtest.h>

#include <spinel/calib/audit.hpp>
#include <string>

namespace {

using namespace spinel;
using namespace spinel::calib;

std::string digest(const std::string& text) {
  Sha256 hash;
  hash.update(text);
  const auto hex = to_hex(hash.finish());
  return {hex.begin(), hex.end()};
}

TEST(Sha256, Fips180Vectors) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(AuditLog, RingFindsChangedRecordAndDropsTheOldest) {
  AuditLog<4> log;
  EXPECT_EQ(log.head(), audit_genesis);
  for (const char* record : {"one", "two", "three"}) log.append(record);
  EXPECT_TRUE(log.matches(1, "one"));
  EXPECT_TRUE(log.matches(3, "three"));
  EXPECT_FALSE(log.matches(2, "twO"));
  EXPECT_FALSE(log.matches(4, "four"));
  for (const char* record : {"four", "five", "six"}) log.append(record);
  EXPECT_FALSE(log.matches(1, "one"));
  EXPECT_TRUE(log.matches(6, "six"));
  EXPECT_EQ(log.sequence(), 6u);
}

TEST(AuditLog, ReorderedRecordsEndInAnotherHead) {
  AuditLog<8> forward, swapped;
  forward.append("a");
  forward.append("b");
  swapped.append("b");
  swapped.append("a");
  EXPECT_NE(forward.head(), swapped.head());
}

}  // namespace
