#include "driver/postgres/postgres_dsn.h"

#include <libpq-fe.h>
#include <pgqrs/error.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/postgres/announcement_text.h"

namespace pgqrs::driver {
namespace {

struct FreeConninfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};

bool IsUrl(std::string_view dsn) {
  return dsn.starts_with("postgresql://") || dsn.starts_with("postgres://");
}

// What libpq says of a DSN, as far as it cannot hold a part of a password: the name of a parameter
// that it does not know. Where a password was not quoted or encoded, that may be a part of it.
std::string Reason(std::string_view message, std::string_view dsn) {
  const bool names_parameter = message.starts_with("invalid connection option \"") ||
                               message.starts_with("invalid URI query parameter: \"");
  const auto begin = message.find('"') + 1;
  const auto name = message.substr(begin, message.find('"', begin) - begin);
  if (names_parameter && dsn.find('@', dsn.find(name)) == std::string_view::npos &&
      dsn.substr(0, dsn.find(name)).find("password") == std::string_view::npos) {
    return "libpq knows no parameter \"" + std::string(name) + "\"";
  }
  return "it cannot be read as postgresql://user@host:port/database or as keyword=value pairs";
}

// Refuses a URL whose password has characters that end it: libpq would take what follows for the
// name of a host, a port or a database, and show it.
void CheckUrl(std::string_view dsn) {
  if (!IsUrl(dsn)) return;
  const auto rest = dsn.substr(dsn.find("://") + 3);
  const auto host_at = rest.substr(0, rest.find('/')).find('@') + 1;  // 0 where there is no user.
  const auto host_and_path = rest.substr(host_at, rest.find('?', host_at) - host_at);
  if (host_and_path.find('@') == std::string_view::npos) return;
  throw ConfigError(
      "dsn: there is an '@' too many in the URL; in names and passwords '@' is to be written as "
      "%40 and '/' as %2F");
}

void CheckPort(std::string_view port) {
  if (port.find_first_not_of("0123456789,") == std::string_view::npos) return;
  throw ConfigError("dsn: the port is not a number");
}

std::string Quoted(std::string_view text, char quote) {
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == quote) quoted += quote;
    quoted += c;
  }
  return quoted + quote;
}

// For each of the hosts, so that all of them can be tried. libpq counts whole seconds, and 2 at
// least.
std::string ConnectTimeout(Duration timeout, const PQconninfoOption* options) {
  std::ptrdiff_t hosts = 1;
  for (const auto* option = options; option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr || (keyword != "host" && keyword != "hostaddr")) continue;
    const std::string_view value = option->val;
    hosts = std::max(hosts, std::count(value.begin(), value.end(), ',') + 1);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout / hosts).count();
  return std::to_string(std::clamp<std::int64_t>(seconds, 2, 3600));
}

// How long to try to connect; and that the system notices within about this time that the server's
// machine, or the network to it, is gone while an answer is waited for.
PostgresOptions::Words Timeouts(Duration timeout, const PQconninfoOption* options) {
  using std::chrono::seconds;
  constexpr int kProbes = 3;
  // The system takes no more than some hours.
  const auto whole = std::clamp<Duration>(timeout, seconds(2), std::chrono::hours(2));
  const auto idle = std::max(seconds(1), std::chrono::floor<seconds>(whole / 2));
  const auto interval = std::max(seconds(1), std::chrono::floor<seconds>((whole - idle) / kProbes));
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(whole).count();
  return {{"connect_timeout", ConnectTimeout(timeout, options)},
          {"keepalives_idle", std::to_string(idle.count())},
          {"keepalives_interval", std::to_string(interval.count())},
          {"keepalives_count", std::to_string(kProbes)},
          {"tcp_user_timeout", std::to_string(milliseconds)}};
}

}  // namespace

bool IsPostgresDsn(std::string_view dsn) {
  if (IsUrl(dsn)) return true;
  // keyword=value pairs begin with a word, perhaps with spaces around it.
  const auto begin = dsn.find_first_not_of(" \t\n");
  const auto end = dsn.find_first_not_of("abcdefghijklmnopqrstuvwxyz_",
                                         begin == std::string_view::npos ? dsn.size() : begin);
  const auto equals = end == std::string_view::npos ? end : dsn.find_first_not_of(" \t\n", end);
  return begin != end && equals != std::string_view::npos && dsn[equals] == '=';
}

PostgresOptions ParsePostgresDsn(const Config& config) {
  if (config.dsn.find('\0') != std::string::npos) throw ConfigError("dsn: it holds a NUL");
  CheckUrl(config.dsn);
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeConninfo> parsed(
      PQconninfoParse(config.dsn.c_str(), &raw_message));
  const std::unique_ptr<char, FreeMemory> message(raw_message);
  if (!parsed) throw ConfigError("dsn: " + Reason(message ? message.get() : "", config.dsn));

  PostgresOptions options;
  options.schema = config.schema;
  options.quoted_schema = Quoted(config.schema, '"');
  options.timeout = config.connection_timeout;
  options.clock = config.clock;
  options.timeouts = Timeouts(config.connection_timeout, parsed.get());
  options.parameters = {{"fallback_application_name", "pgqrs"}};
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword) == "port") CheckPort(option->val);
    options.parameters.emplace_back(option->keyword, option->val);
  }
  options.parameters.emplace_back("client_encoding", "UTF8");
  return options;
}

std::string WithSchema(std::string_view text, const PostgresOptions& options) {
  const auto quoted_text = Quoted(options.quoted_schema, '\'');
  const std::pair<std::string_view, std::string> replacements[] = {
      {"{schema}", options.quoted_schema},
      {"{schema_text}", Quoted(options.schema, '\'')},
      {"{schema_in_text}", quoted_text.substr(1, quoted_text.size() - 2)},
      {"{channel}", ChannelOf(options.schema)}};
  std::string replaced;
  // What was put in is not looked at again: it may hold anything.
  while (!text.empty()) {
    const auto brace = std::min(text.find('{'), text.size());
    replaced += text.substr(0, brace);
    text.remove_prefix(brace);
    const auto* const found =
        std::find_if(std::begin(replacements), std::end(replacements),
                     [&](const auto& entry) { return text.starts_with(entry.first); });
    if (found != std::end(replacements)) {
      replaced += found->second;
      text.remove_prefix(found->first.size());
    } else if (!text.empty()) {
      replaced += text.front();
      text.remove_prefix(1);
    }
  }
  return replaced;
}

}  // namespace pgqrs::driver
