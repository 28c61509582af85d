// SPDX-License-Identifier: Apache-2.0
// The one C++ file of the C host program: which decoder it uses, under which names.
#include <spinel/decode/c_api.hpp>

using HostDecoder = spinel::StreamDecoder<spinel::StreamExperiment{.distance = 5, .commit = 5, .buffer = 5}>;

SPINEL_DEFINE_C_API(qec, HostDecoder);
