// SPDX-License-Identifier: Apache-2.0
// The umbrella: every layer except io/, which works with strings and vectors and is included file by file where needed.
// Kept complete by tests/static/umbrella.py.
#pragma once

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/checksum.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/log.hpp>
#include <spinel/core/status.hpp>
#include <spinel/simd/arch.hpp>
#include <spinel/simd/avx2.hpp>
#include <spinel/simd/avx512.hpp>
#include <spinel/simd/bit_ops.hpp>
#include <spinel/simd/native.hpp>
#include <spinel/simd/neon.hpp>
#include <spinel/simd/scalar.hpp>
#include <spinel/code/detectors.hpp>
#include <spinel/code/experiment.hpp>
#include <spinel/code/lattice.hpp>
#include <spinel/noise/decompose.hpp>
#include <spinel/noise/error_slice.hpp>
#include <spinel/noise/fault.hpp>
#include <spinel/noise/parameters.hpp>
#include <spinel/noise/sampler.hpp>
#include <spinel/noise/sampler_tables.hpp>
#include <spinel/nn/activation.hpp>
#include <spinel/nn/conv3d.hpp>
#include <spinel/nn/forward.hpp>
#include <spinel/nn/network.hpp>
#include <spinel/nn/weights.hpp>
#include <spinel/match/alternating_tree.hpp>
#include <spinel/match/alternating_tree_search.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_builder.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_matcher.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/match/lattice_tree.hpp>
#include <spinel/match/matcher.hpp>
#include <spinel/match/path_tables.hpp>
#include <spinel/match/shortest_paths.hpp>
#include <spinel/decode/encode.hpp>
#include <spinel/decode/predecoder.hpp>
#include <spinel/decode/residual.hpp>
