// SPDX-License-Identifier: Apache-2.0
#include <spinel/simd/scalar.hpp>

#include "predecode_make.hpp"

namespace spinel::cli {

PredecodeFactory predecode_factory_scalar() { return detail::make_engine<arch::scalar>; }

}  // namespace spinel::cli
