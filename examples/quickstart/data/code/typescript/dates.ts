const DAY = 24 * 60 * 60 * 1000;

/** Make a date in UTC; months count from 1 as people do. */
export function utc(year: number, month: number, day: number): Date {
  return new Date(Date.UTC(year, month - 1, day));
}

/** Write a date as year, month and day. */
export function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

export function addDays(date: Date, days: number): Date {
  return new Date(date.getTime() + days * DAY);
}

/** Return the whole days from one date to another. */
export function daysBetween(from: Date, to: Date): number {
  return Math.round((to.getTime() - from.getTime()) / DAY);
}

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Add months; the day is lowered if the new month is too short. */
export function addMonths(date: Date, months: number): Date {
  const total = date.getUTCFullYear() * 12 + date.getUTCMonth() + months;
  const year = Math.floor(total / 12);
  const month = (total % 12) + 1;
  return utc(year, month, Math.min(date.getUTCDate(), daysInMonth(year, month)));
}

/** Say how long ago something was. */
export function ago(date: Date, now: Date): string {
  const days = daysBetween(date, now);
  if (days === 0) return "today";
  if (days === 1) return "yesterday";
  if (days < 14) return `${days} days ago`;
  if (days < 60) return `${Math.floor(days / 7)} weeks ago`;
  return `${Math.floor(days / 30)} months ago`;
}

console.assert(isoDay(addMonths(utc(2024, 1, 31), 1)) === "2024-02-29");
console.assert(isoDay(addDays(utc(2023, 12, 30), 3)) === "2024-01-02");
console.assert(ago(utc(2024, 5, 1), utc(2024, 5, 22)) === "3 weeks ago");
