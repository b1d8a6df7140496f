class Tool {
  static Object execute(String text) {
    return text.isBlank() ? 0 : text.strip().split("\\s+").length;
  }
}
