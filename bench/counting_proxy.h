// Counts the round trips between clients and a Postgres server.
#ifndef PGQRS_BENCH_COUNTING_PROXY_H_
#define PGQRS_BENCH_COUNTING_PROXY_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bench {

// Stands between the two and passes on what they say. A round trip is counted when a client speaks
// for the first time, or again after the server has spoken. TLS is not possible.
class CountingProxy {
 public:
  // Listens on a socket in `folder`, which must be a short path.
  CountingProxy(const std::string& dsn, const std::filesystem::path& folder);
  CountingProxy(const CountingProxy&) = delete;
  CountingProxy& operator=(const CountingProxy&) = delete;
  // To be destroyed when its clients have closed their connections.
  ~CountingProxy();

  // The way to the server through the proxy.
  const std::string& dsn() const { return dsn_; }

  std::int64_t round_trips() const { return round_trips_; }

 private:
  class Link;

  void Listen(const std::filesystem::path& folder);
  void Accept();
  int ConnectToServer() const;

  std::string host_;
  std::string port_;
  std::string dsn_;
  int listener_ = -1;
  std::atomic<std::int64_t> round_trips_ = 0;
  std::vector<std::unique_ptr<Link>> links_;  // Of the thread.
  std::thread thread_;
};

}  // namespace bench

#endif  // PGQRS_BENCH_COUNTING_PROXY_H_
