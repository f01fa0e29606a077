//! Empty: this package only needs its manifest.
