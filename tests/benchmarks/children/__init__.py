"""What is measured in an interpreter of its own, with evstore's packages: floors, and the library."""
