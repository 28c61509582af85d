// SPDX-License-Identifier: Apache-2.0
#include "lattice_engine_of.hpp"

namespace spinel::cli {

std::unique_ptr<LatticeEngine> lattice_engine_23_31(const LatticeTrial& trial, Status& status) {
  return detail::lattice_among<23, 25, 27, 29, 31>(trial, status);
}

}  // namespace spinel::cli
