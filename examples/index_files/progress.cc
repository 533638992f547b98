#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>

namespace index_files {
namespace {

constexpr auto kLineInterval = std::chrono::seconds(1);

int TerminalWidth() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string FormatTime(double seconds) {
  const auto whole = std::llround(seconds);
  const auto two_digits = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  std::string text = two_digits(whole / 60 % 60) + ":" + two_digits(whole % 60);
  return whole < 3600 ? text : std::to_string(whole / 3600) + ":" + text;
}

}  // namespace

std::string WithCommas(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

Progress::Progress()
    : is_terminal_(isatty(STDOUT_FILENO) == 1),
      start_(SteadyClock::now()),
      next_line_(start_ + kLineInterval) {}

void Progress::Show(std::int64_t done, std::int64_t total, bool total_known) {
  if (done_before_ < 0) done_before_ = done;
  if (!is_terminal_) {
    if (SteadyClock::now() < next_line_) return;
    next_line_ += kLineInterval;
  }

  const double rate = static_cast<double>(done - done_before_) / std::max(seconds(), 1e-3);
  std::string text = WithCommas(done) + " of " + WithCommas(total) + " files";
  if (!total_known) text += " found so far";
  text += ", " + WithCommas(static_cast<std::int64_t>(rate)) + " files/s";
  if (total_known && rate > 0) {
    text += ", " + FormatTime(static_cast<double>(total - done) / rate) + " left";
  }
  if (!is_terminal_) {
    std::cout << text << std::endl;  // NOLINT(performance-avoid-endl): a log is read as it grows.
    return;
  }

  const auto room =
      static_cast<std::ptrdiff_t>(TerminalWidth()) - 4 - static_cast<std::ptrdiff_t>(text.size());
  const auto width = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(room, 0, 40));
  const double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
  std::cout << "\r\x1b[K[" << bar << "] " << text << std::flush;
}

void Progress::Clear() {
  if (is_terminal_) std::cout << "\r\x1b[K" << std::flush;
}

double Progress::seconds() const {
  return std::chrono::duration<double>(SteadyClock::now() - start_).count();
}

}  // namespace index_files
