#include "archive.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "file_path.h"
#include "gzip.h"
#include "tree.h"

namespace archive_tree {
namespace {

namespace fs = std::filesystem;

// A run reads all its steps when it starts, so a part is not endless.
constexpr std::size_t kFilesOfAPart = 50;

// A full disk may have room again.
const pgqrs::StepOptions& TriedAgain() {
  static const pgqrs::StepOptions kOptions = {
      .retry =
          pgqrs::StepRetryPolicy{.max_attempts = 4,
                                 .backoff = pgqrs::Backoff::ExponentialWithJitter(
                                     std::chrono::milliseconds(200), std::chrono::seconds(5))}};
  return kOptions;
}

// A step may run again when the process was killed before its end was recorded, so it does what may
// be done twice: it writes a file of its own, and gives it its name at the end.
ArchivedFile ArchiveFile(const Task& task, const std::string& path) {
  ArchivedFile result = {.path = path};
  auto target = DecodePath(task.to) / "files" / DecodePath(path);
  target += ".gz";
  auto temporary = target;
  temporary += ".part";
  fs::create_directories(target.parent_path());
  try {
    const auto sizes = Compress(DecodePath(task.from) / DecodePath(path), temporary);
    result.bytes = sizes.bytes;
    result.compressed = sizes.compressed;
  } catch (const ReadError& error) {
    result.error = error.code().message();
    fs::remove(temporary);
    return result;
  }
  Publish(temporary, target);
  return result;
}

std::vector<ArchivedFile> ArchivePart(pgqrs::RunContext& run, const Part& part) {
  std::vector<ArchivedFile> results;
  results.reserve(part.files.size());
  for (const auto& path : part.files) {
    results.push_back(run.Step(
        "compress", [&] { return ArchiveFile(part.task, path); }, TriedAgain()));
  }
  return results;
}

// What it writes and the record that it was done are one transaction, so no file is counted twice.
Totals KeepResults(pgqrs::Transaction& transaction, std::int64_t run_id,
                   const std::vector<ArchivedFile>& files) {
  transaction.Execute(
      "CREATE TABLE IF NOT EXISTS archived_files "
      "(run integer, path text, bytes integer, compressed integer, error text)");
  Totals totals;
  for (const auto& file : files) {
    transaction.Execute("INSERT INTO archived_files VALUES (?1, ?2, ?3, ?4, ?5)",
                        {run_id, file.path, static_cast<std::int64_t>(file.bytes),
                         static_cast<std::int64_t>(file.compressed), file.error});
    (file.error.empty() ? totals.files : totals.errors) += 1;
    totals.bytes += file.bytes;
    totals.compressed += file.compressed;
  }
  return totals;
}

std::string ReportOf(const std::vector<ArchivedFile>& files, const Totals& totals) {
  std::ostringstream report;
  for (const auto& file : files) {
    if (file.error.empty()) {
      report << file.bytes << " -> " << file.compressed << "  " << file.path << "\n";
    } else {
      report << "not read (" << file.error << ")  " << file.path << "\n";
    }
  }
  report << totals.files << " files, " << totals.bytes << " bytes, compressed to "
         << totals.compressed << "; " << totals.errors << " not read\n";
  return report.str();
}

Totals ArchiveTree(pgqrs::RunContext& run, const Task& task,
                   const pgqrs::Workflow<Part, std::vector<ArchivedFile>>& part) {
  // A step, since the tree may look otherwise later, when this function is called again.
  const auto files = run.Step(
      "list", [&] { return ListFiles(DecodePath(task.from), DecodePath(task.to)); }, TriedAgain());
  std::vector<pgqrs::ChildRun<std::vector<ArchivedFile>>> parts;
  for (std::size_t i = 0; i < files.size(); i += kFilesOfAPart) {
    const auto begin = files.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kFilesOfAPart, files.size() - i));
    parts.push_back(run.Child(part, {.task = task, .files = {begin, end}}));
  }
  std::vector<ArchivedFile> results;
  for (const auto& child : parts) {
    auto some = child.Result();
    std::move(some.begin(), some.end(), std::back_inserter(results));
  }
  const auto totals = run.TransactionStep("keep", [&](pgqrs::Transaction& transaction) {
    return KeepResults(transaction, run.id(), results);
  });
  run.Step(
      "report", [&] { WriteFile(DecodePath(task.to) / kReportName, ReportOf(results, totals)); },
      TriedAgain());
  return totals;
}

}  // namespace

Workflows DefineWorkflows() {
  auto part = pgqrs::DefineWorkflow("archive_part", ArchivePart);
  auto tree = pgqrs::DefineWorkflow(
      "archive_tree",
      [part](pgqrs::RunContext& run, const Task& task) { return ArchiveTree(run, task, part); });
  return {.part = part, .tree = tree};
}

}  // namespace archive_tree
