#include "report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "measure.h"
#include "options.h"

namespace bench {
namespace {

using Row = std::array<std::string, 6>;

std::string Fixed(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string TargetOf(const Line& line) {
  if (line.least_ratio) return "≥ " + Fixed(*line.least_ratio, 2);
  if (!line.most) return "";
  return "< " + nlohmann::json(*line.most).dump() + " " + std::string(line.unit);
}

std::string VerdictOf(const Line& line) {
  const auto reached = line.IsReached();
  if (!reached) return "";
  return *reached ? "reached" : "MISSED";
}

Row RowOf(const Line& line) {
  return {line.backend == NameOf(Backend::kSqlite) ? line.name
                                                   : std::string(line.backend) + ": " + line.name,
          line.limit ? WithUnit(*line.limit, line.unit) : "",
          WithUnit(line.pgqrs, line.unit),
          line.ratio ? Fixed(*line.ratio, 2) : "",
          TargetOf(line),
          VerdictOf(line)};
}

// In characters, not in bytes of UTF-8.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string Padded(const std::string& text, std::size_t width, bool to_the_right) {
  const std::string padding(width - Width(text), ' ');
  return to_the_right ? padding + text : text + padding;
}

bool IsNumber(std::size_t column) { return column >= 1 && column <= 3; }

}  // namespace

std::optional<bool> Line::IsReached() const {
  if (least_ratio) return ratio >= least_ratio;
  if (most) return pgqrs < *most;
  return std::nullopt;
}

Line CompareRounds(std::string name, std::vector<double> limit, std::vector<double> pgqrs,
                   std::optional<double> least_ratio) {
  std::vector<double> ratios;
  ratios.reserve(limit.size());
  for (std::size_t i = 0; i < limit.size(); ++i) ratios.push_back(pgqrs[i] / limit[i]);
  Line line;
  line.name = std::move(name);
  line.limit = Median(limit);
  line.pgqrs = Median(pgqrs);
  line.ratio = Median(ratios);
  line.least_ratio = least_ratio;
  line.limit_rounds = std::move(limit);
  line.pgqrs_rounds = std::move(pgqrs);
  return line;
}

// In Markdown, so that it can be pasted into a page.
std::string Report::Table() const {
  std::vector<Row> rows = {{"scenario", "limit", "pgqrs", "ratio", "target", "verdict"}};
  for (const auto& line : lines) rows.push_back(RowOf(line));
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string table;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      table += "| " + Padded(rows[r][i], widths[i], IsNumber(i)) + " ";
    }
    table += "|\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      table += "| " + std::string(widths[i] - 1, '-') + (IsNumber(i) ? ": " : "- ");
    }
    table += "|\n";
  }
  for (const auto& failure : failures) {
    table += "FAILED " + failure.scenario + ": " + failure.error + "\n";
  }
  return table;
}

nlohmann::json Report::ToJson() const {
  auto results = nlohmann::json::array();
  const auto or_null = [](const auto& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  for (const auto& line : lines) {
    results.push_back({{"scenario", line.name},
                       {"backend", line.backend},
                       {"unit", line.unit},
                       {"limit", or_null(line.limit)},
                       {"pgqrs", line.pgqrs},
                       {"ratio", or_null(line.ratio)},
                       {"least_ratio", or_null(line.least_ratio)},
                       {"most", or_null(line.most)},
                       {"reached", or_null(line.IsReached())},
                       {"rounds", {{"limit", line.limit_rounds}, {"pgqrs", line.pgqrs_rounds}}},
                       {"details", line.details}});
  }
  auto failed = nlohmann::json::array();
  for (const auto& failure : failures) {
    failed.push_back({{"scenario", failure.scenario}, {"error", failure.error}});
  }
  return {{"results", std::move(results)}, {"failures", std::move(failed)}};
}

std::string WithSeparators(std::int64_t number) {
  auto digits = std::to_string(number);
  for (auto i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return digits;
}

std::string WithUnit(double value, std::string_view unit) {
  const auto number = unit == kPerSecond                     ? WithSeparators(std::llround(value))
                      : unit == kMebibytes || unit == kBytes ? Fixed(value, 1)
                                                             : Fixed(value, 3);
  return unit.empty() ? number : number + " " + std::string(unit);
}

}  // namespace bench
