// SPDX-License-Identifier: Apache-2.0
// X-Z duality of the network's input: with `dual`, orientation O3 looks like O1 in the other basis, and O2 like O4.
#include <utility>

#include <gtest/gtest.h>

#include <spinel/decode/encode.hpp>

namespace {

using namespace spinel;

TEST(TensorLayout, DualOrientationsLookLikeTheTrainedOnes) {
  const std::pair<Orientation, Orientation> same[] = {{Orientation::O3, Orientation::O1}, {Orientation::O2, Orientation::O4}};
  for (const int distance : {3, 5, 9})
    for (const auto& [dual_orientation, trained] : same)
      for (const Basis basis : {Basis::X, Basis::Z}) {
        static TensorLayout<9> dual, plain;
        ASSERT_EQ(make_tensor_layout<9>({distance, 4, basis, dual_orientation}, true, dual), Status::ok);
        ASSERT_EQ(make_tensor_layout<9>({distance, 4, opposite(basis), trained}, false, plain), Status::ok);
        EXPECT_EQ(dual.basis_kind(), plain.basis_kind());
        for (int q = 0; q < distance * distance; ++q) {
          EXPECT_EQ(dual.in_logical[q], plain.in_logical[q]);
          for (int kind = 0; kind < 2; ++kind) EXPECT_EQ(dual.check_at_site[kind][q] >= 0, plain.check_at_site[kind][q] >= 0);
          for (int c = 0; c < 4; ++c)
            for (int part = 0; part < 2; ++part) EXPECT_EQ(dual.empty_round[part][4 * q + c], plain.empty_round[part][4 * q + c]);
        }
      }
}

TEST(TensorLayout, DualChangesNothingForTheTrainedOrientations) {
  static TensorLayout<5> dual, plain;
  for (const Orientation orientation : {Orientation::O1, Orientation::O4}) {
    ASSERT_EQ(make_tensor_layout<5>({5, 3, Basis::X, orientation}, true, dual), Status::ok);
    ASSERT_EQ(make_tensor_layout<5>({5, 3, Basis::X, orientation}, false, plain), Status::ok);
    EXPECT_EQ(dual.type_of_kind[0], plain.type_of_kind[0]);
  }
}

TEST(TensorLayout, RefusesWhatDoesNotFit) {
  static TensorLayout<5> layout;
  EXPECT_EQ(make_tensor_layout<5>({7, 3, Basis::X, Orientation::O1}, false, layout), Status::bad_argument);
  EXPECT_EQ(make_tensor_layout<5>({5, 1, Basis::X, Orientation::O1}, false, layout), Status::bad_argument);
}

}  // namespace
