// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <spinel/io/experiment.hpp>

namespace {

using namespace spinel;

// The flattened model and the text with its repeat block must say the same.
TEST(ExperimentModel, FlattenedEqualsTheParsedText) {
  for (const int rounds : {2, 3, 4, 9}) {
    const MemoryExperiment experiment{.distance = 5, .rounds = rounds, .basis = Basis::Z, .orientation = Orientation::O3};
    std::string text;
    ASSERT_EQ(io::experiment_dem_text(experiment, uniform_depolarizing(0.004), text), Status::ok);
    const auto parsed = io::parse_dem(text);
    ASSERT_TRUE(parsed) << parsed.error();
    const auto model = io::experiment_model(experiment, uniform_depolarizing(0.004));
    ASSERT_TRUE(model);
    EXPECT_EQ(model->n_detectors, parsed->n_detectors);
    EXPECT_EQ(model->n_observables, parsed->n_observables);
    EXPECT_EQ(model->detectors, parsed->detectors);
    ASSERT_EQ(model->mechanisms.size(), parsed->mechanisms.size());
    for (std::size_t k = 0; k < model->mechanisms.size(); ++k)
      EXPECT_EQ(model->mechanisms[k].probability, parsed->mechanisms[k].probability);
    ASSERT_EQ(model->components.size(), parsed->components.size());
    for (std::size_t k = 0; k < model->components.size(); ++k)
      EXPECT_EQ(model->components[k].observables, parsed->components[k].observables);
  }
}

TEST(ExperimentModel, RefusesWhatCannotExist) {
  std::string text = "left over";
  EXPECT_EQ(io::experiment_dem_text({.distance = 4}, uniform_depolarizing(0.01), text), Status::bad_argument);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(io::experiment_model({.distance = 3, .rounds = 1}, uniform_depolarizing(0.01)).status, Status::bad_argument);
  auto noise = uniform_depolarizing(0.01);
  noise.p_meas_X = 2;
  EXPECT_EQ(io::experiment_model({}, noise).status, Status::bad_argument);
}

}  // namespace
