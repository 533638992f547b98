// The module pgqrs._core: the library's classes almost as they are, with requests in place of
// futures. What users see is made of these in the package around it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "consumer.h"
#include "errors.h"
#include "gil.h"
#include "json_text.h"
#include "queue.h"
#include "records.h"
#include "request.h"
#include "store.h"
#include "workflow.h"

NB_MODULE(_core, module) {
  using namespace pgqrs::python;
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
    throw nanobind::import_error("pgqrs works in the main interpreter of a process only");
  }
  // What is left at the end of the interpreter may belong to tasks that never ran to theirs.
  nanobind::set_leak_warnings(false);
  nanobind::module_::import_("atexit").attr("register")(
      nanobind::cpp_function(&NoteThatPythonEnds));
  TranslateErrors();
  BindRequest(module);
  BindRecords(module);
  BindWorkflowRecords(module);
  BindConsumer(module);
  BindQueue(module);
  BindStore(module);
  module.def(
      "to_json",
      [](nanobind::handle value, const std::string& name) { return ToJsonText(value, name); },
      nanobind::arg("payload").none(), nanobind::arg("name") = "payload");
  module.def("from_json", &FromJsonText, nanobind::arg("text"));
}
