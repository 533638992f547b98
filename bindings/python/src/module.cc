// The module pgqrs._core: the library's classes almost as they are, with requests in place of
// futures. What users see is made of these in the package around it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "consumer.h"
#include "errors.h"
#include "json_text.h"
#include "queue.h"
#include "records.h"
#include "request.h"
#include "store.h"

NB_MODULE(_core, module) {
  using namespace pgqrs::python;
  TranslateErrors();
  BindRequest(module);
  BindRecords(module);
  BindConsumer(module);
  BindQueue(module);
  BindStore(module);
  module.def("to_json", &ToJsonText, nanobind::arg("payload").none());
  module.def("from_json", &FromJsonText, nanobind::arg("text"));
}
