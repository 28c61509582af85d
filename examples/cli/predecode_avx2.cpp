// SPDX-License-Identifier: Apache-2.0
#include <spinel/simd/avx2.hpp>

#include "predecode_make.hpp"

namespace spinel::cli {

#if defined(__AVX2__) && defined(__FMA__)
PredecodeFactory predecode_factory_avx2() { return detail::make_engine<arch::avx2>; }
#else
PredecodeFactory predecode_factory_avx2() { return nullptr; }
#endif

}  // namespace spinel::cli
