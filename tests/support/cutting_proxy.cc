#include "support/cutting_proxy.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace pgqrs::testing {
namespace {

using namespace std::string_view_literals;

// Messages of the protocol: a client's end of a pipeline, and a server that is ready for more.
constexpr auto kSync = "S\0\0\0\4"sv;
constexpr auto kReady = "Z\0\0\0\5I"sv;

std::string Parameter(std::string_view dsn, std::string_view keyword) {
  auto* options = PQconninfoParse(std::string(dsn).c_str(), nullptr);
  std::string value;
  for (const auto* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) value = option->val;
  }
  PQconninfoFree(options);
  return value;
}

const sockaddr* Generic(const auto& address) { return reinterpret_cast<const sockaddr*>(&address); }

int ConnectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(server, Generic(address), sizeof(address)) == 0) return server;
  ::close(server);
  return -1;
}

// What can be read at once; empty at the end.
std::string Receive(int from) {
  std::array<char, 65536> bytes{};
  const auto n = ::read(from, bytes.data(), bytes.size());
  return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
}

bool SendAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void SwallowAnswers(int server) {
  for (std::string answers; !answers.ends_with(kReady);) {
    const auto more = Receive(server);
    if (more.empty()) return;
    answers += more;
  }
}

}  // namespace

CuttingProxy::CuttingProxy(std::string_view dsn)
    : server_path_(Parameter(dsn, "host") + "/.s.PGSQL." + Parameter(dsn, "port")) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, Generic(address), sizeof(address)) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  dsn_ = std::string(dsn) + (dsn.find('?') == std::string_view::npos ? "?" : "&") +
         "host=127.0.0.1&port=" + std::to_string(ntohs(address.sin_port)) +
         "&sslmode=disable&gssencmode=disable";
  acceptor_ = std::thread([this] { Accept(); });
}

CuttingProxy::~CuttingProxy() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (const int client : clients_) ::shutdown(client, SHUT_RDWR);
  for (auto& thread : threads_) thread.join();
  for (const int client : clients_) ::close(client);
  ::close(listener_);
}

void CuttingProxy::CutAt(std::string statement, When when) {
  const std::lock_guard lock(mutex_);
  statement_ = std::move(statement);
  when_ = when;
}

void CuttingProxy::Accept() {
  for (;;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    clients_.push_back(client);
    threads_.emplace_back([this, client] { Serve(client); });
  }
}

bool CuttingProxy::IsMeant(std::string_view sent, When& when) {
  const std::lock_guard lock(mutex_);
  if (statement_.empty() || !sent.ends_with(kSync)) return false;
  if (sent.find(statement_) == std::string_view::npos) return false;
  statement_.clear();
  when = when_;
  ++cuts_;
  return true;
}

void CuttingProxy::Serve(int client) {
  const int server = ConnectTo(server_path_);
  std::array<pollfd, 2> ends = {pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
  std::string pipeline;  // What the client has sent since the server's last answer.
  while (server >= 0 && ::poll(ends.data(), ends.size(), -1) > 0) {
    const bool is_client = ends[0].revents != 0;
    const auto bytes = Receive(is_client ? client : server);
    if (bytes.empty()) break;
    if (is_client) {
      pipeline += bytes;
    } else {
      pipeline.clear();
    }
    When when{};
    const bool is_meant = is_client && IsMeant(pipeline, when);
    if (is_meant && when == When::kBefore) break;
    if (!SendAll(is_client ? server : client, bytes)) break;
    if (!is_meant) continue;
    SwallowAnswers(server);
    break;
  }
  ::shutdown(client, SHUT_RDWR);
  if (server >= 0) ::close(server);
}

}  // namespace pgqrs::testing
