// SPDX-License-Identifier: Apache-2.0
#include <spinel/simd/avx512.hpp>

#include "predecode_make.hpp"

namespace spinel::cli {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
PredecodeFactory predecode_factory_avx512() { return detail::make_engine<arch::avx512>; }
#else
PredecodeFactory predecode_factory_avx512() { return nullptr; }
#endif

}  // namespace spinel::cli
