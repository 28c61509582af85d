// SPDX-License-Identifier: Apache-2.0
#include "lattice_engine_of.hpp"

namespace spinel::cli {

std::unique_ptr<LatticeEngine> lattice_engine_11_15(const LatticeTrial& trial, Status& status) {
  return detail::lattice_among<11, 13, 15>(trial, status);
}

}  // namespace spinel::cli
