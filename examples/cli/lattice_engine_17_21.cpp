// SPDX-License-Identifier: Apache-2.0
#include "lattice_engine_of.hpp"

namespace spinel::cli {

std::unique_ptr<LatticeEngine> lattice_engine_17_21(const LatticeTrial& trial, Status& status) {
  return detail::lattice_among<17, 19, 21>(trial, status);
}

}  // namespace spinel::cli
