// SPDX-License-Identifier: Apache-2.0
// The demo's plot: logical error rate against physical error rate, one line a distance, both axes logarithmic, as SVG.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace spinel::cli {

/// One point of the plot: the rate and its confidence interval.
struct PlotPoint {
  double x = 0, y = 0, low = 0, high = 0;
};
struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;
};

/// Points with y = 0 are drawn as an upper limit (a downward bar from `high`).
inline std::string plot_svg(const std::string& title, const std::vector<PlotSeries>& series) {
  constexpr double width = 720, height = 480, left = 80, right = 130, top = 48, bottom = 56;
  double x_min = 1, x_max = 1e-9, y_min = 1, y_max = 1e-12;
  for (const auto& one : series)
    for (const auto& point : one.points) {
      x_min = std::min(x_min, point.x);
      x_max = std::max(x_max, point.x);
      y_max = std::max(y_max, point.high);
      y_min = std::min(y_min, point.y > 0 ? std::max(point.low, point.y / 10) : point.high / 3);
    }
  const double y_first = std::floor(std::log10(y_min)), y_last = std::ceil(std::log10(y_max));
  const double x_first = std::log10(x_min) - 0.05, x_last = std::log10(x_max) + 0.05;
  const auto at_x = [&](double x) {
    return left + (std::log10(x) - x_first) / (x_last - x_first) * (width - left - right);
  };
  const auto at_y = [&](double y) {
    const double place = (std::log10(std::max(y, 1e-300)) - y_first) / (y_last - y_first);
    return height - bottom - std::clamp(place, 0.0, 1.0) * (height - top - bottom);
  };
  std::string svg;
  const auto add = [&](const char* format, auto... values) {
    char line[512];
    std::snprintf(line, sizeof line, format, values...);
    svg += line;
    svg += '\n';
  };
  constexpr const char* colors[] = {"#1b6ca8", "#c8553d", "#4a8f3c", "#7a4fa3", "#b8860b", "#2a9d8f", "#444444"};
  add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" font-size=\"13\">", width,
      height);
  add("<rect width=\"%g\" height=\"%g\" fill=\"white\"/>", width, height);
  add("<text x=\"%g\" y=\"28\" font-size=\"16\">%s</text>", left, title.c_str());
  for (double decade = y_first; decade <= y_last; ++decade) {
    const double y = at_y(std::pow(10, decade));
    add("<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", left, width - right, y, y);
    add("<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">1e%g</text>", left - 8, y + 4, decade);
  }
  std::vector<double> ticks;
  for (const auto& one : series)
    for (const auto& point : one.points)
      if (std::find(ticks.begin(), ticks.end(), point.x) == ticks.end()) ticks.push_back(point.x);
  for (const double tick : ticks) {
    add("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" stroke=\"#ddd\"/>", at_x(tick), at_x(tick), top, height - bottom);
    add("<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%g</text>", at_x(tick), height - bottom + 20, tick);
  }
  add("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">physical error rate p</text>", (left + width - right) / 2, height - 14);
  add("<text x=\"20\" y=\"%g\" text-anchor=\"middle\" transform=\"rotate(-90 20 %g)\">logical error rate per shot</text>",
      (top + height - bottom) / 2, (top + height - bottom) / 2);
  for (std::size_t s = 0; s < series.size(); ++s) {
    const char* color = colors[s % (sizeof colors / sizeof colors[0])];
    std::string line;
    for (const auto& point : series[s].points) {
      const double x = at_x(point.x);
      const double floor_y = point.low > 0 ? at_y(point.low) : height - bottom;
      add("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-opacity=\"0.6\"/>", x, x,
          at_y(point.high), floor_y, color);
      if (point.y <= 0) continue;
      add("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>", x, at_y(point.y), color);
      char place[48];
      std::snprintf(place, sizeof place, "%.1f,%.1f ", x, at_y(point.y));
      line += place;
    }
    add("<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>", line.c_str(), color);
    const double y = top + 16 + 22 * static_cast<double>(s);
    add("<rect x=\"%g\" y=\"%g\" width=\"14\" height=\"4\" fill=\"%s\"/>", width - right + 16, y - 6, color);
    add("<text x=\"%g\" y=\"%g\">%s</text>", width - right + 36, y, series[s].name.c_str());
  }
  svg += "</svg>\n";
  return svg;
}

}  // namespace spinel::cli
