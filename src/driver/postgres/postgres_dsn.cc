#include "driver/postgres/postgres_dsn.h"

#include <libpq-fe.h>
#include <pgqrs/error.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>

namespace pgqrs::driver {
namespace {

// Settings of each session. The plans are those of an ordered walk over an index, whatever the
// statistics of a table that was empty a moment ago say; and no plan is worth compiling.
constexpr std::string_view kSettings =
    "-c default_transaction_isolation=read\\ committed -c enable_seqscan=off "
    "-c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off "
    "-c plan_cache_mode=force_generic_plan";

struct FreeConninfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};

// What libpq says of a DSN, as far as it cannot hold a part of a password.
std::string Reason(const char* message) {
  const std::string_view text = message != nullptr ? message : "";
  for (const std::string_view safe : {"invalid connection option", "invalid URI query parameter"}) {
    if (text.starts_with(safe)) return std::string(text.substr(0, text.find('\n')));
  }
  return "it cannot be read as postgresql://user@host:port/database or as keyword=value pairs";
}

std::string Quoted(std::string_view text, char quote) {
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == quote) quoted += quote;
    quoted += c;
  }
  return quoted + quote;
}

void Replace(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// libpq counts whole seconds, and 2 at least.
std::string ConnectTimeout(Duration timeout) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeout).count();
  return std::to_string(std::clamp<std::int64_t>(seconds, 2, 3600));
}

}  // namespace

bool IsPostgresDsn(std::string_view dsn) {
  if (dsn.starts_with("postgresql://") || dsn.starts_with("postgres://")) return true;
  // keyword=value pairs begin with a word, perhaps with spaces around it.
  const auto begin = dsn.find_first_not_of(" \t\n");
  const auto end = dsn.find_first_not_of("abcdefghijklmnopqrstuvwxyz_",
                                         begin == std::string_view::npos ? dsn.size() : begin);
  const auto equals = end == std::string_view::npos ? end : dsn.find_first_not_of(" \t\n", end);
  return begin != end && equals != std::string_view::npos && dsn[equals] == '=';
}

PostgresOptions ParsePostgresDsn(const Config& config) {
  if (config.dsn.find('\0') != std::string::npos) throw ConfigError("dsn: it holds a NUL");
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeConninfo> parsed(
      PQconninfoParse(config.dsn.c_str(), &raw_message));
  const std::unique_ptr<char, FreeMemory> message(raw_message);
  if (!parsed) throw ConfigError("dsn: " + Reason(message.get()));

  PostgresOptions options;
  options.schema = config.schema;
  options.quoted_schema = Quoted(config.schema, '"');
  options.timeout = config.connection_timeout;
  options.clock = config.clock;
  // The later of two of a keyword counts, so that these can be overridden.
  options.parameters = {{"fallback_application_name", "pgqrs"},
                        {"connect_timeout", ConnectTimeout(config.connection_timeout)}};
  std::string settings(kSettings);
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword) == "options") {
      options.user_options = option->val;
      settings += " " + options.user_options;
    } else {
      options.parameters.emplace_back(option->keyword, option->val);
    }
  }
  options.parameters.emplace_back("options", settings);
  options.parameters.emplace_back("client_encoding", "UTF8");
  return options;
}

std::string WithSchema(std::string_view text, const PostgresOptions& options) {
  std::string in_text = options.quoted_schema;
  Replace(in_text, "'", "''");
  std::string replaced(text);
  Replace(replaced, "{schema_in_text}", in_text);
  Replace(replaced, "{schema}", options.quoted_schema);
  Replace(replaced, "{schema_text}", Quoted(options.schema, '\''));
  return replaced;
}

}  // namespace pgqrs::driver
