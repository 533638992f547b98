#ifndef PGQRS_TESTS_SUPPORT_STRANGER_H_
#define PGQRS_TESTS_SUPPORT_STRANGER_H_

#include <string>
#include <thread>

namespace pgqrs::testing {

// A port of this machine that takes connections, sends each of them a text and closes it; without a
// text it leaves them alone.
class Stranger {
 public:
  explicit Stranger(const std::string& answer);
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger();

  std::string port() const { return std::to_string(port_); }

  // A DSN that leads there, for "user:password".
  std::string dsn(const std::string& login) const {
    return "postgresql://" + login + "@127.0.0.1:" + port() + "/database";
  }

 private:
  void Answer(const std::string& answer) const;

  int socket_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_STRANGER_H_
