// SPDX-License-Identifier: Apache-2.0
// The parsers and printers of io/ behind a command line, for formats_test.py:
//   formats_program dem FILE                                        prints the flattened model
//   formats_program shots FILE FROM TO MEASUREMENTS DETECTORS OBSERVABLES   prints the shots in another format
// A refusal is "error: ..." on standard error and exit status 1.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/shots.hpp>

namespace {

int refuse(const std::string& why) {
  std::fprintf(stderr, "error: %s\n", why.c_str());
  return 1;
}

int show(std::string_view bytes) {
  const auto written = spinel::io::write_file("-", bytes);
  return written ? 0 : refuse(written.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto bytes = spinel::io::read_file(argv[2]);
  if (!bytes) return refuse(bytes.error());
  if (std::string_view(argv[1]) == "dem") {
    const auto model = spinel::io::parse_dem(*bytes);
    return model ? show(spinel::io::dem_text(*model)) : refuse(model.error());
  }
  if (argc != 8) return 2;
  const auto from = spinel::io::shot_format(argv[3]), to = spinel::io::shot_format(argv[4]);
  if (!from || !to) return refuse(from.error() + to.error());
  const auto number = [](const char* text) { return static_cast<std::size_t>(std::strtoull(text, nullptr, 10)); };
  const spinel::io::ShotLayout layout{number(argv[5]), number(argv[6]), number(argv[7])};
  const auto table = spinel::io::parse_shots(*bytes, *from, layout);
  if (!table) return refuse(table.error());
  const auto text = spinel::io::format_shots(*table, *to, layout);
  return text ? show(*text) : refuse(text.error());
}
