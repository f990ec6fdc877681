"""One recipe -> a wheel or a library archive, by pyodide-build, in a sandbox without network."""
