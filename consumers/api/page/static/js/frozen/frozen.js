/** What a report holds: {job, series, metrics, messages, position, now_ms}, as the API answered. */

export const frozen = JSON.parse(document.getElementById("frozen").textContent);
