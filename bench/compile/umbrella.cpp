// SPDX-License-Identifier: Apache-2.0
// A translation unit that only includes the umbrella: the least any user pays.
#include <spinel/spinel.hpp>
