//! Examples of shedlock; see the targets of this package.
