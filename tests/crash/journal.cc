#include "crash/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace pgqrs::testing {
namespace {

std::int64_t Micros(TimePoint time) { return time.time_since_epoch().count(); }

std::string Line(const char* kind, const Message& message) {
  std::ostringstream line;
  line << kind << ' ' << message.id() << ' ' << message.read_count() << '\n';
  return line.str();
}

}  // namespace

JournalWriter::JournalWriter(const std::string& path)
    : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), path);
}

JournalWriter::~JournalWriter() { close(file_); }

void JournalWriter::Enqueued(std::span<const std::int64_t> ids, std::span<const Json> payloads) {
  std::ostringstream lines;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    lines << "enqueued " << ids[i] << ' ' << payloads[i].text() << '\n';
  }
  Write(lines.str());
}

void JournalWriter::Taken(std::span<const Message> messages) {
  std::ostringstream lines;
  for (const auto& message : messages) {
    lines << "taken " << message.id() << ' ' << message.read_count() << ' '
          << Micros(message.dequeued_at()) << ' ' << Micros(message.lease_end()) << ' '
          << message.payload().text() << '\n';
  }
  Write(lines.str());
}

void JournalWriter::Acked(const Message& message) { Write(Line("acked", message)); }

void JournalWriter::Refused(const Message& message) { Write(Line("refused", message)); }

void JournalWriter::Triggered(std::int64_t run_id, const std::string& key) {
  Write("triggered " + std::to_string(run_id) + ' ' + key + '\n');
}

void JournalWriter::Succeeded(std::int64_t run_id, const Json& output) {
  Write("succeeded " + std::to_string(run_id) + ' ' + output.text() + '\n');
}

void JournalWriter::Write(const std::string& lines) {
  if (write(file_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
    throw std::system_error(errno, std::generic_category(), "writing the journal");
  }
}

Journals Journals::Read(const std::string& folder) {
  Journals journals;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".journal") continue;
    std::ifstream file(entry.path());
    std::string line;
    while (std::getline(file, line) && !file.eof()) {
      journals.AddLine(entry.path().filename().string(), line);
    }
  }
  return journals;
}

void Journals::AddLine(const std::string& process, const std::string& line) {
  std::istringstream fields(line);
  std::string kind;
  std::int64_t id = 0;
  fields >> kind >> id;
  if (kind == "enqueued") {
    std::string payload;
    fields >> payload;
    EXPECT_TRUE(enqueued.emplace(id, payload).second) << "id " << id << " was given twice";
    return;
  }
  if (kind == "triggered" || kind == "succeeded") {
    std::string text;
    std::getline(fields >> std::ws, text);
    auto& of_kind = kind == "triggered" ? triggered : succeeded;
    EXPECT_TRUE(of_kind.emplace(id, text).second) << "run " << id << " was " << kind << " twice";
    return;
  }
  Delivery delivery;
  fields >> delivery.read_count;
  if (kind == "acked") {
    EXPECT_TRUE(acked.emplace(id, delivery.read_count).second) << id << " was acked twice";
    ++acks_of[process];
  } else if (kind == "refused") {
    refused.push_back(id);
  } else {
    fields >> delivery.dequeued_at >> delivery.lease_end >> delivery.payload;
    delivery.process = process;
    deliveries[id].push_back(std::move(delivery));
  }
}

void Journals::CheckDeliveries() const {
  for (auto [id, all] : deliveries) {
    SCOPED_TRACE("message " + std::to_string(id));
    std::sort(all.begin(), all.end(),
              [](const Delivery& a, const Delivery& b) { return a.dequeued_at < b.dequeued_at; });
    for (std::size_t i = 1; i < all.size(); ++i) {
      EXPECT_GE(all[i].dequeued_at, all[i - 1].lease_end) << "two leases at a time";
      EXPECT_GT(all[i].read_count, all[i - 1].read_count);
      EXPECT_EQ(all[i].payload, all[0].payload);
    }
    if (const auto ack = acked.find(id); ack != acked.end()) {
      EXPECT_EQ(all.back().read_count, ack->second) << "handed out again after its ack";
    }
    if (const auto known = enqueued.find(id); known != enqueued.end()) {
      EXPECT_EQ(all[0].payload, known->second);
    }
  }
}

}  // namespace pgqrs::testing
