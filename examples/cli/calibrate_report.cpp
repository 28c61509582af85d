// SPDX-License-Identifier: Apache-2.0
#include "calibrate_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>

namespace spinel::cli {
namespace {

using nlohmann::json;
using calib::Family;

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

std::string show(double value, int digits = 5) {
  if (!std::isfinite(value)) return "-";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string show(const json& value) {
  if (value.is_number()) return show(value.get<double>(), 7);
  if (value.is_string()) return escape(value.get<std::string>());
  return escape(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

constexpr double left = 70, top = 16, width = 760, height = 320;

/// Ranges of a plot and its frame.
struct Plot {
  double x0 = 0, x1 = 1, y0 = 0, y1 = 1;
  std::string body;

  double x(double value) const { return left + width * (value - x0) / (x1 - x0); }
  double y(double value) const { return top + height * (1 - (value - y0) / (y1 - y0)); }

  void frame(const std::string& x_name, const std::string& y_name) {
    for (int k = 0; k <= 4; ++k) {
      const double at = x0 + (x1 - x0) * k / 4, up = y0 + (y1 - y0) * k / 4;
      body += "<text x='" + show(x(at)) + "' y='" + show(top + height + 18) + "' text-anchor='middle'>" + show(at, 4) + "</text>";
      body += "<text x='" + show(left - 6) + "' y='" + show(y(up) + 4) + "' text-anchor='end'>" + show(up, 3) + "</text>";
      body += "<line x1='" + show(x(at)) + "' y1='" + show(top) + "' x2='" + show(x(at)) + "' y2='" + show(top + height) + "' class='grid'/>";
      body += "<line x1='" + show(left) + "' y1='" + show(y(up)) + "' x2='" + show(left + width) + "' y2='" + show(y(up)) + "' class='grid'/>";
    }
    body += "<rect x='" + show(left) + "' y='" + show(top) + "' width='" + show(width) + "' height='" + show(height) + "' class='frame'/>";
    body += "<text x='" + show(left + width / 2) + "' y='" + show(top + height + 38) + "' text-anchor='middle'>" + escape(x_name) + "</text>";
    body += "<text transform='translate(14," + show(top + height / 2) + ") rotate(-90)' text-anchor='middle'>" + escape(y_name) + "</text>";
  }
  std::string svg() const { return "<svg viewBox='0 0 860 400' role='img'>" + body + "</svg>"; }
};

void widen(double& low, double& high) {
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  const double margin = 0.05 * (high - low);
  low -= margin;
  high += margin;
}

/// The fitted curve at `x`: non-linear parameters from the decision, linear ones solved again on the signal. Empty when there is none to draw.
template <calib::Curve C>
std::vector<double> curve_of(const C& curve, std::initializer_list<double> theta, const calib::Signal& signal, const std::vector<double>& x, calib::Workspace& workspace) {
  double parameters[3] = {0, 0, 0}, linear[6];
  std::copy(theta.begin(), theta.end(), parameters);
  for (const double value : theta)
    if (!std::isfinite(value)) return {};
  calib::Fitter<C> fitter{curve, {signal.x, signal.y, {}}, workspace};
  if (!fitter.ready()) return {};
  fitter.project(parameters, linear);
  std::vector<std::vector<double>> columns(static_cast<std::size_t>(C::n_linear), std::vector<double>(x.size()));
  double* pointers[8]{};
  for (std::size_t k = 0; k < columns.size(); ++k) pointers[k] = columns[k].data();
  curve.fill(x, parameters, pointers);
  std::vector<double> y(x.size());
  for (std::size_t k = 0; k < columns.size(); ++k)
    for (std::size_t i = 0; i < x.size(); ++i) y[i] += linear[k] * columns[k][i];
  return y;
}

std::vector<double> fitted(const calib::Decision& decision, const calib::Signal& signal, const std::vector<double>& x, calib::Workspace& workspace) {
  const auto value = [&](std::string_view name) {
    const auto* parameter = decision.find(name);
    return parameter != nullptr ? parameter->value : calib::missing;
  };
  switch (decision.family) {
    case Family::t1: return curve_of(calib::Exponential{}, {1 / value("T1_s")}, signal, x, workspace);
    case Family::t2_echo: return curve_of(calib::Exponential{}, {1 / value("T2_echo_s")}, signal, x, workspace);
    case Family::randomized_benchmarking: return curve_of(calib::Exponential{}, {-std::log(value("alpha"))}, signal, x, workspace);
    case Family::rabi: case Family::rabi_hw: {
      const double envelope = decision.facts.envelope, rate = envelope < 1 ? -std::log(envelope) / decision.facts.span : 0.0;
      return curve_of(calib::DampedCosine{}, {1 / value("period"), rate}, signal, x, workspace);
    }
    case Family::ramsey_freq_cal: case Family::ramsey_t2star: case Family::rydberg_ramsey: case Family::zz: {
      const double rate = std::isfinite(value("T2_star_s")) ? 1 / value("T2_star_s") : 0.0;
      return curve_of(calib::DampedCosine{}, {decision.facts.periods / decision.facts.span, rate}, signal, x, workspace);
    }
    case Family::qubit_spectroscopy: case Family::res_spec:
      return curve_of(calib::Lorentzian<true, true>{}, {value("frequency_Hz"), value("width_Hz")}, signal, x, workspace);
    default: return {};
  }
}

std::string picture_of_sweep(const json& record, const calib::Request& view, const calib::Decision& decision) {
  std::vector<double> memory(calib::workspace_doubles(view.columns[0].values.size(), view.columns.size()));
  calib::Workspace workspace{memory};
  const bool line = decision.family == Family::qubit_spectroscopy || decision.family == Family::res_spec;
  const auto signal = calib::read_signal(view, 0, 1, line ? calib::Reduction::magnitude : calib::Reduction::principal_axis, workspace);
  if (signal.error != nullptr || signal.x.empty()) return "<p>No signal to draw.</p>";
  Plot plot;
  plot.x0 = signal.x[0];
  plot.x1 = signal.x.back();
  plot.y0 = *std::min_element(signal.y.begin(), signal.y.end());
  plot.y1 = *std::max_element(signal.y.begin(), signal.y.end());
  const double data0 = plot.x0, data1 = plot.x1;
  json next;
  for (const auto& action : record["suggested_actions"])
    if (action["type"] == "rerun" && next.is_null()) next = action["sweep"];
  if (next.is_object()) {
    // The next sweep is drawn where it fits beside the data; what lies more than five spans away is only named.
    const double reach = 5 * (data1 - data0);
    plot.x0 = std::max(std::min(plot.x0, next["start"].get<double>()), data0 - reach);
    plot.x1 = std::min(std::max(plot.x1, next["stop"].get<double>()), data1 + reach);
  }
  widen(plot.x0, plot.x1);
  widen(plot.y0, plot.y1);
  plot.frame(std::string{view.columns[0].name}.append(", in ").append(signal.x_unit), std::string{view.columns[1].name}.append(signal.calibrated ? " (population)" : ""));
  if (next.is_object()) {
    const double a = std::clamp(plot.x(next["start"].get<double>()), left, left + width), b = std::clamp(plot.x(next["stop"].get<double>()), left, left + width);
    plot.body += "<rect x='" + show(a) + "' y='" + show(top) + "' width='" + show(std::max(1.0, b - a)) + "' height='" + show(height) + "' class='next'/>";
  }
  std::vector<double> x(600);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = data0 + (data1 - data0) * static_cast<double>(k) / static_cast<double>(x.size() - 1);
  if (const auto y = fitted(decision, signal, x, workspace); !y.empty() && decision.reliability != calib::Reliability::no_fit) {
    plot.body += std::string{"<polyline class='"}.append(decision.reliability == calib::Reliability::reliable ? "fit" : "fit doubtful").append("' points='");
    for (std::size_t k = 0; k < x.size(); ++k)
      if (std::isfinite(y[k])) plot.body += show(plot.x(x[k])) + "," + show(std::clamp(plot.y(y[k]), top, top + height)) + " ";
    plot.body += "'/>";
  }
  const std::size_t stride = std::max<std::size_t>(1, signal.x.size() / 2000);
  for (std::size_t k = 0; k < signal.x.size(); k += stride) plot.body += "<circle cx='" + show(plot.x(signal.x[k])) + "' cy='" + show(plot.y(signal.y[k])) + "' r='2.4'/>";
  return plot.svg();
}

std::string picture_of_shots(const calib::Request& view) {
  const int state = calib::find_column(view.columns, "prepared_state"), i = calib::find_column(view.columns, "I"), q = calib::find_column(view.columns, "Q");
  if (state < 0 || i < 0 || q < 0) return "<p>No I and Q to draw.</p>";
  const auto at = [&](int column, std::size_t row) { return view.columns[static_cast<std::size_t>(column)].values[row]; };
  const std::size_t n = view.columns[0].values.size(), stride = std::max<std::size_t>(1, n / 3000);
  Plot plot;
  plot.x0 = plot.y0 = INFINITY;
  plot.x1 = plot.y1 = -INFINITY;
  for (std::size_t k = 0; k < n; ++k) {
    if (!std::isfinite(at(i, k)) || !std::isfinite(at(q, k))) continue;
    plot.x0 = std::min(plot.x0, at(i, k));
    plot.x1 = std::max(plot.x1, at(i, k));
    plot.y0 = std::min(plot.y0, at(q, k));
    plot.y1 = std::max(plot.y1, at(q, k));
  }
  if (!std::isfinite(plot.x0)) return "<p>No finite shots.</p>";
  widen(plot.x0, plot.x1);
  widen(plot.y0, plot.y1);
  plot.frame("I", "Q");
  for (std::size_t k = 0; k < n; k += stride)
    if (std::isfinite(at(i, k)) && std::isfinite(at(q, k)))
      plot.body += "<circle class='s" + std::to_string(std::clamp(static_cast<int>(at(state, k)), 0, 2)) + "' cx='" + show(plot.x(at(i, k))) + "' cy='" + show(plot.y(at(q, k))) + "' r='1.8'/>";
  return plot.svg();
}

std::string picture_of_map(const calib::Request& view) {
  // Cells are averaged down to at most 90 by 70.
  const auto a = view.columns[0].values, b = view.columns[1].values, v = view.columns[2].values;
  Plot plot;
  plot.x0 = plot.y0 = INFINITY;
  plot.x1 = plot.y1 = -INFINITY;
  std::map<double, int> as, bs;
  for (std::size_t k = 0; k < v.size(); ++k) {
    if (!std::isfinite(a[k]) || !std::isfinite(b[k]) || !std::isfinite(v[k])) continue;
    plot.x0 = std::min(plot.x0, a[k]);
    plot.x1 = std::max(plot.x1, a[k]);
    plot.y0 = std::min(plot.y0, b[k]);
    plot.y1 = std::max(plot.y1, b[k]);
    as[a[k]] = bs[b[k]] = 1;
  }
  if (as.size() < 2 || bs.size() < 2) return "<p>No map to draw.</p>";
  const auto nx = std::min<std::size_t>(90, as.size()), ny = std::min<std::size_t>(70, bs.size());
  std::vector<double> sum(nx * ny), count(nx * ny);
  const auto cell = [](double value, double low, double high, std::size_t n) { return std::min(n - 1, static_cast<std::size_t>((value - low) / (high - low) * static_cast<double>(n))); };
  for (std::size_t k = 0; k < v.size(); ++k) {
    if (!std::isfinite(a[k]) || !std::isfinite(b[k]) || !std::isfinite(v[k])) continue;
    const auto at = cell(a[k], plot.x0, plot.x1, nx) * ny + cell(b[k], plot.y0, plot.y1, ny);
    sum[at] += v[k];
    count[at] += 1;
  }
  double low = INFINITY, high = -INFINITY;
  for (std::size_t k = 0; k < sum.size(); ++k)
    if (count[k] > 0) {
      sum[k] /= count[k];
      low = std::min(low, sum[k]);
      high = std::max(high, sum[k]);
    }
  if (!(high > low)) high = low + 1;
  const double w = width / static_cast<double>(nx), h = height / static_cast<double>(ny);
  for (std::size_t i = 0; i < nx; ++i)
    for (std::size_t j = 0; j < ny; ++j) {
      if (count[i * ny + j] == 0) continue;
      const int shade = static_cast<int>(255 * (sum[i * ny + j] - low) / (high - low));
      plot.body += "<rect x='" + show(left + w * static_cast<double>(i)) + "' y='" + show(top + height - h * static_cast<double>(j + 1)) + "' width='" + show(w + 0.3) + "' height='" + show(h + 0.3) + "' fill='rgb(" +
                   std::to_string(shade) + "," + std::to_string(40 + shade / 2) + "," + std::to_string(160 - shade / 2) + ")'/>";
    }
  plot.frame(std::string{view.columns[0].name}, std::string{view.columns[1].name});
  return plot.svg();
}

std::string row(std::initializer_list<std::string> cells, const char* tag = "td") {
  std::string out = "<tr>";
  for (const auto& cell : cells) out.append("<").append(tag).append(">").append(cell).append("</").append(tag).append(">");
  return out + "</tr>";
}

}  // namespace

std::string report_page(const json& record, const RequestFile& request, const TraceFile* trace, const calib::Decision& decision) {
  const auto& verdict = record["verdict"];
  const auto outcome = verdict["outcome"].get<std::string>();
  std::string page = "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>" + escape(record["family"].get<std::string>()) + ": " + show(verdict["status"]) + "</title><style>"
      "body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:1.5rem auto;padding:0 1rem;color:#1b2430}svg{width:100%;font-size:12px}circle{fill:#24507a}"
      ".s0{fill:#24507a88}.s1{fill:#b0442488}.s2{fill:#3d7a3588}.grid{stroke:#e4e8ee}.frame{fill:none;stroke:#9aa7b6}.fit{fill:none;stroke:#c8401e;stroke-width:2}"
      ".doubtful{stroke-dasharray:6 4}.next{fill:#e8b84a33;stroke:#c9962a}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #e4e8ee}"
      ".expected{background:#d9f0dd}.suboptimal{background:#fdf0cf}.anomalous{background:#fbdccf}.apparatus{background:#e3e1f5}.verdict{padding:.6rem 1rem;border-radius:.4rem}code{font-size:13px}"
      "</style></head><body><h1>" + escape(record["family"].get<std::string>());
  for (const char* key : {"target", "device_id", "experiment_id"})
    if (record[key].is_string()) page += " &middot; " + show(record[key]);
  page += "</h1><div class='verdict " + outcome + "'><strong>" + show(verdict["status"]) + "</strong> (" + escape(outcome) + ", " + show(verdict["reliable"]) + ", confidence " + show(record["confidence"].get<double>(), 3) + ")<br>" + show(verdict["reason"]);
  for (const auto& rule : calib::rules)
    if (!verdict["rules_fired"].empty() && verdict["rules_fired"][0] == rule.id) page += std::string{"<br>Looks like: "}.append(escape(rule.looks)).append(" Next: ").append(escape(rule.next));
  page += "</div>";
  if (trace != nullptr && trace->names.size() >= 2) {
    std::vector<calib::Column> columns;
    for (std::size_t k = 0; k < trace->names.size(); ++k) columns.push_back({trace->names[k], trace->values[k]});
    calib::Request view;
    view.family = request.family;
    view.columns = columns;
    view.meta = request.meta;
    switch (request.family) {
      case Family::gmm: case Family::single_shot_readout: page += picture_of_shots(view); break;
      case Family::resonator_flux_map: case Family::qubit_flux_map: case Family::qubit_flux_spectroscopy: case Family::coupler_flux:
      case Family::qubit_spectroscopy_power_frequency: case Family::ramsey_charge_tomography:
        page += columns.size() >= 3 ? picture_of_map(view) : std::string{}; break;
      default: page += picture_of_sweep(record, view, decision);
    }
  }
  page += "<p>Model: " + show(record["fit"]["model"]) + "</p>";
  if (!record["fit"]["constraints"].empty()) {
    page += "<ul>";
    for (const auto& constraint : record["fit"]["constraints"]) page += "<li>" + show(constraint) + "</li>";
    page += "</ul>";
  }
  const bool usable = !record["fit"]["params"].empty();
  const auto& params = usable ? record["fit"]["params"] : record["fit"].contains("estimates") ? record["fit"]["estimates"] : record["fit"]["params"];
  if (!params.empty()) {
    page += std::string{"<h2>"}.append(usable ? "Parameters" : "Estimates, not to be used").append("</h2><table>") + row({"name", "value", "standard error", "unit"}, "th");
    for (const auto& [name, entry] : params.items()) page += row({escape(name), entry.contains("value") ? show(entry["value"]) : "-", entry.contains("stderr") ? show(entry["stderr"]) : "-", show(entry["unit"])});
    page += "</table>";
  }
  page += "<h2>Suggested actions</h2><table>";
  for (const auto& action : record["suggested_actions"]) {
    json rest = action;
    rest.erase("type");
    rest.erase("why");
    page += row({show(action["type"]), "<code>" + show(rest) + "</code>", action.contains("why") ? show(action["why"]) : ""});
  }
  page += "</table><h2>Guardrails: " + show(record["decision"]) + "</h2><table>";
  for (const auto& check : record["guard"]) page += row({show(check["param"]), show(check["check"]), show(check["value"]), show(check["limit"]), check["pass"] == true ? "pass" : "<strong>stopped here</strong>"});
  return page + "</table><p><small>Rule set " + show(record["ruleset"]["id"]) + " " + show(record["ruleset"]["version"]) + "; trace SHA-256 " + (record["observations"].contains("sha256") ? show(record["observations"]["sha256"]) : "-") + "</small></p></body></html>\n";
}

}  // namespace spinel::cli
