#ifndef PGQRS_DRIVER_SQLITE_OWN_LOCKS_H_
#define PGQRS_DRIVER_SQLITE_OWN_LOCKS_H_

namespace pgqrs::driver {

// Makes the locks of this copy of SQLite its own, where the process may have another copy. To be
// called before it opens a file, and only where no other part of the program uses this copy.
//
// SQLite locks by fcntl, and such locks belong to the process. Two copies do not exclude each
// other, and when one of them closes a descriptor of a file, the locks of both are gone. (SQLite,
// "How To Corrupt An SQLite Database File", 2.2.) Whichever copy then believes to be the last one
// removes the log while the other goes on writing it.
//
// So this copy locks by an open file description, one for each file, since SQLite counts on a lock
// being the same by whichever descriptor it asks. Such locks conflict with those of the process
// like with those of another one, and outlive what others close. And it closes a file only where
// that drops no lock of the other copy. Until then it keeps what it has open of it, and takes that
// when it opens the file the next time.
void UseOwnLocks();

// Closes what is kept and can be closed by now; so does each opening and closing.
void CloseKeptFiles();

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_OWN_LOCKS_H_
