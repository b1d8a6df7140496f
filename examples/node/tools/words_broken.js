export function execute(text) {
  return text.words().length;
}
