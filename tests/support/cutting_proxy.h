// A way to a Postgres server that can be cut at the worst moment.
#ifndef PGQRS_TESTS_SUPPORT_CUTTING_PROXY_H_
#define PGQRS_TESTS_SUPPORT_CUTTING_PROXY_H_

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pgqrs::testing {

class CuttingProxy {
 public:
  // When a connection is cut: before the server gets what the client sends, or when the server has
  // carried it out and the client has not heard of it.
  enum class When { kBefore, kAfter };

  // In front of the server of this URL, which names a socket.
  explicit CuttingProxy(std::string_view dsn);
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy();

  // The same server through the proxy.
  const std::string& dsn() const { return dsn_; }

  // Cuts the first connection on which a client ends a pipeline that has this statement.
  void CutAt(std::string statement, When when);

  // Connections that were cut.
  int cuts() const { return cuts_; }

 private:
  void Accept();
  void Serve(int client);
  bool IsMeant(std::string_view sent, When& when);

  std::string server_path_;
  std::string dsn_;
  int listener_ = -1;
  std::atomic<int> cuts_ = 0;
  std::mutex mutex_;
  std::string statement_;  // Empty: nothing is to be cut.
  When when_ = When::kBefore;
  std::vector<std::thread> threads_;
  std::vector<int> clients_;
  std::thread acceptor_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_CUTTING_PROXY_H_
