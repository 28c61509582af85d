// SPDX-License-Identifier: Apache-2.0
#include "lattice_engine_of.hpp"

namespace spinel::cli {

std::unique_ptr<LatticeEngine> lattice_engine_3_9(const LatticeTrial& trial, Status& status) {
  return detail::lattice_among<3, 5, 7, 9>(trial, status);
}

}  // namespace spinel::cli
