function runPage() {}
