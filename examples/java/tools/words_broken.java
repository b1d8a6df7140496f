class Tool {
  static String[] words;

  static Object execute(String text) {
    return words.length;
  }
}
