export function execute(text) {
  return text.split(/\s+/).filter(Boolean).length;
}
