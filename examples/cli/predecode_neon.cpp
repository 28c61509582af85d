// SPDX-License-Identifier: Apache-2.0
#include <spinel/simd/neon.hpp>

#include "predecode_make.hpp"

namespace spinel::cli {

#if defined(__aarch64__)
PredecodeFactory predecode_factory_neon() { return detail::make_engine<arch::neon>; }
#else
PredecodeFactory predecode_factory_neon() { return nullptr; }
#endif

}  // namespace spinel::cli
