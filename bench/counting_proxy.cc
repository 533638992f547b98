#include "counting_proxy.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "limits/postgres_session.h"
#include "measure.h"

namespace bench {
namespace {

constexpr const char* kPort = "5432";  // Of a socket in a folder of our own.

[[noreturn]] void FailSystem(const std::string& doing) {
  throw std::system_error(errno, std::generic_category(), doing);
}

sockaddr_un SocketIn(const std::string& folder, const std::string& port) {
  const auto path = folder + "/.s.PGSQL." + port;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Expect(path.size() < sizeof(address.sun_path), path + " is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool WriteAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string Quoted(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// The same server and user, by another way.
std::string WithAddress(const std::string& dsn, const std::string& host, const std::string& port) {
  auto* options = PQconninfoParse(dsn.c_str(), nullptr);
  Expect(options != nullptr, "the DSN cannot be read");
  std::string changed = "host=" + Quoted(host) + " port=" + port;
  for (const auto* option = options; option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr || keyword == "host" || keyword == "hostaddr" || keyword == "port") {
      continue;
    }
    changed += " " + std::string(keyword) + "=" + Quoted(option->val);
  }
  PQconninfoFree(options);
  return changed;
}

}  // namespace

// One client's connection, with a thread for each direction.
class CountingProxy::Link {
 public:
  Link(int client, int server, std::atomic<std::int64_t>& round_trips)
      : client_(client), server_(server), round_trips_(round_trips) {
    to_server_ = std::thread([this] { Pass(client_, server_, true); });
    to_client_ = std::thread([this] { Pass(server_, client_, false); });
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    ::shutdown(client_, SHUT_RDWR);
    ::shutdown(server_, SHUT_RDWR);
    to_server_.join();
    to_client_.join();
    ::close(client_);
    ::close(server_);
  }

 private:
  void Pass(int from, int to, bool is_client) {
    std::array<char, 65536> bytes{};
    for (;;) {
      const auto n = ::read(from, bytes.data(), bytes.size());
      if (n <= 0) break;
      if (!is_client) {
        server_spoke_ = true;
      } else if (server_spoke_.exchange(false)) {
        ++round_trips_;
      }
      if (!WriteAll(to, {bytes.data(), static_cast<std::size_t>(n)})) break;
    }
    ::shutdown(to, SHUT_WR);
  }

  int client_;
  int server_;
  std::atomic<std::int64_t>& round_trips_;
  std::atomic<bool> server_spoke_ = true;
  std::thread to_server_;
  std::thread to_client_;
};

CountingProxy::CountingProxy(const std::string& dsn, const std::filesystem::path& folder) {
  {
    const limits::PostgresSession session(dsn, "public");
    host_ = PQhost(session.handle());
    port_ = PQport(session.handle());
  }
  dsn_ = WithAddress(dsn, folder.string(), kPort);
  Listen(folder);
  thread_ = std::thread([this] { Accept(); });
}

CountingProxy::~CountingProxy() {
  ::shutdown(listener_, SHUT_RDWR);  // Ends Accept.
  thread_.join();
  ::close(listener_);
}

void CountingProxy::Listen(const std::filesystem::path& folder) {
  const auto address = SocketIn(folder.string(), kPort);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, Generic(address), sizeof(address)) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0) {
    FailSystem("making a socket in " + folder.string());
  }
}

void CountingProxy::Accept() {
  for (;;) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ConnectToServer();
    if (server < 0) {
      ::close(client);  // It will complain.
      continue;
    }
    links_.push_back(std::make_unique<Link>(client, server, round_trips_));
  }
}

int CountingProxy::ConnectToServer() const {
  if (host_.starts_with('/')) {
    const auto address = SocketIn(host_, port_);
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || ::connect(server, Generic(address), sizeof(address)) == 0) return server;
    ::close(server);
    return -1;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host_.c_str(), port_.c_str(), &hints, &found) != 0) return -1;
  int server = -1;
  for (const auto* each = found; each != nullptr && server < 0; each = each->ai_next) {
    server = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
    if (server < 0 || ::connect(server, each->ai_addr, each->ai_addrlen) == 0) continue;
    ::close(server);
    server = -1;
  }
  ::freeaddrinfo(found);
  return server;
}

}  // namespace bench
