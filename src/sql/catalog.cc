#include "sql/catalog.h"

#include <charconv>
#include <stdexcept>
#include <string>

#include "sql/embedded.h"

namespace pgqrs::sql {
namespace {

constexpr std::string_view kSectionMark = "-- name: ";

using Texts = std::array<std::string, kCatalog.size()>;

std::size_t IndexOf(std::string_view name) {
  for (std::size_t i = 0; i < kCatalog.size(); ++i) {
    if (kCatalog[i].name == name) return i;
  }
  throw std::logic_error("no statement of this name in the catalogue: " + std::string(name));
}

// A section may stand for several statements that differ by whole lines. In the text of statement
// Name a line `-- only Name: FOR UPDATE` is no comment.
std::string TextOf(std::string_view name, std::string_view section) {
  const auto mark = "\n-- only " + std::string(name) + ": ";
  std::string text(section);
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.erase(at + 1, mark.size() - 1);
  }
  return text.substr(1);  // Behind the end of the line with the names.
}

void ReadSections(std::string_view file, Texts& texts) {
  auto begin = file.find(kSectionMark);
  while (begin != std::string_view::npos) {
    const auto end = file.find(kSectionMark, begin + kSectionMark.size());
    const auto section = file.substr(begin, end == std::string_view::npos ? end : end - begin);
    const auto line_end = section.find('\n');
    auto names = section.substr(kSectionMark.size(), line_end - kSectionMark.size());
    while (!names.empty()) {
      const auto name_end = names.find(", ");
      const auto name = names.substr(0, name_end);
      texts[IndexOf(name)] = TextOf(name, section.substr(line_end));
      names = name_end == std::string_view::npos ? std::string_view{} : names.substr(name_end + 2);
    }
    begin = end;
  }
}

// What the folder of the dialect has, and `texts` has not or differently.
Texts ReadDialect(std::string_view dialect, Texts texts) {
  const auto folder = std::string(dialect) + "/";
  for (const auto& file : EmbeddedFiles()) {
    if (file.path.starts_with(folder)) ReadSections(file.text, texts);
  }
  return texts;
}

std::vector<Migration> ReadMigrations(std::string_view dialect) {
  std::vector<Migration> migrations;
  const auto folder = "migrations/" + std::string(dialect) + "/";
  for (const auto& file : EmbeddedFiles()) {  // By path, and so by version.
    if (!file.path.starts_with(folder)) continue;
    auto name = file.path.substr(folder.size());
    name = name.substr(0, name.find('.'));
    int version = 0;
    std::from_chars(name.data(), name.data() + name.size(), version);
    migrations.push_back({version, name, file.text});
  }
  return migrations;
}

struct Dialects {
  Texts sqlite = ReadDialect("sqlite", {});
  Texts turso = ReadDialect("turso", sqlite);
  Texts postgres = ReadDialect("postgres", {});
};

struct AllMigrations {
  std::vector<Migration> sqlite = ReadMigrations("sqlite");
  std::vector<Migration> turso = sqlite;
  std::vector<Migration> postgres = ReadMigrations("postgres");
};

template <typename T>
const auto& Choose(std::string_view dialect, const T& all) {
  if (dialect == "sqlite") return all.sqlite;
  if (dialect == "turso") return all.turso;
  if (dialect == "postgres") return all.postgres;
  throw std::logic_error("no such dialect: " + std::string(dialect));
}

}  // namespace

std::string_view Text(std::string_view dialect, Statement statement) {
  static const Dialects all;
  return Choose(dialect, all)[static_cast<std::size_t>(statement)];
}

const std::vector<Migration>& Migrations(std::string_view dialect) {
  static const AllMigrations all;
  return Choose(dialect, all);
}

}  // namespace pgqrs::sql
