/**
 * Characters that turn the direction of text around. Guarantees: pure; text keeps its length; what would make it read as
 * another than it is (CVE-2021-42574, “Trojan Source”) is shown as a sign that something is there.
 */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

export function withoutBidi(text: string): string {
  return text.replaceAll(TURNING, '\u{fffd}');
}
