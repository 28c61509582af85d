// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <spinel/nn/network.hpp>

namespace {

using namespace spinel;

// Table II of arXiv:2604.12841; model 1 counts 912,772 (the paper prints 912,272, the checkpoint has 912,772).
static_assert(model_1.parameters() == 912772 && model_1.receptive_field() == 9);
static_assert(model_2.parameters() == 3595012 && model_2.receptive_field() == 9);
static_assert(model_3.parameters() == 4224388 && model_3.receptive_field() == 17);
static_assert(model_4.parameters() == 1797764 && model_4.receptive_field() == 13);
static_assert(model_5.parameters() == 7134468 && model_5.receptive_field() == 13);
static_assert(network_for<9>() == model_1 && network_for<13>() == model_4 && network_for<17>() == model_3);
static_assert(plain_network(2, 16).parameters() == 27 * (4 * 16 + 16 * 16 + 16 * 4) + 16 + 16 + 4);
static_assert(!Network{}.valid() && model_1.valid());

template <Network network>
struct UsableAsTemplateArgument {
  static constexpr int field = network.receptive_field();
};

TEST(Network, IsAStructuralValue) { EXPECT_EQ(UsableAsTemplateArgument<model_1>::field, 9); }

TEST(Network, RejectsEvenKernels) {
  Network network = model_1;
  network.layers[1].kernel = 4;
  EXPECT_FALSE(network.valid());
}

}  // namespace
