// What ThreadSanitizer must not report.

#ifdef __SANITIZE_THREAD__

// An error of a group is one exception that several callers share. libstdc++ counts its references
// atomically, but in a library that is not instrumented, so the last owner seems to race.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::__dest_thunk\n"
         "race:std::__exception_ptr::exception_ptr::_M_release\n";
}

#endif
