// SPDX-License-Identifier: Apache-2.0
// Instead of decoder.cpp: the same decoder behind a pre-decoder network, 4-16-16-4 with GELU in int8, for main.c with -DHOST_HAS_NETWORK.
#include <spinel/decode/c_api.hpp>
#include <spinel/decode/stream_predecoder.hpp>

inline constexpr spinel::StreamExperiment stream{.distance = 5, .commit = 5, .buffer = 5};
inline constexpr spinel::Network network = in_precision(spinel::plain_network(2, 16), spinel::Precision::int8);
using HostDecoder = spinel::StreamDecoder<stream, spinel::LatticeWindow<stream>, spinel::StreamPredecoder<stream, network>>;

SPINEL_DEFINE_C_API(qec, HostDecoder);
SPINEL_DEFINE_C_NETWORK(qec, HostDecoder);
