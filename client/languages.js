// The texts of `<bellwire-bell>` in other languages than English: loaded by pages that are in one of them.
/** @import { Texts } from "./bell/texts.js" */

/** @type {Texts} */
export const de = {
  title: "Benachrichtigungen",
  unread: { one: "{n} ungelesene Benachrichtigung", other: "{n} ungelesene Benachrichtigungen" },
  arrived: { one: "{n} neue Benachrichtigung", other: "{n} neue Benachrichtigungen" },
  isUnread: "Ungelesen",
  readAll: "Alle als gelesen markieren",
  more: "Mehr anzeigen",
  remove: "Löschen",
  removed: "Gelöscht",
  dismiss: "Schließen",
  empty: "Noch keine Benachrichtigungen",
  offline: "Keine Verbindung. Neuer Versuch …",
  closed: "Keine Verbindung.",
  failed: "Benachrichtigungen konnten nicht geladen werden.",
  refused: "Das hat nicht geklappt.",
  retry: "Erneut versuchen",
};

/** @type {Texts} */
export const vi = {
  title: "Thông báo",
  unread: "{n} thông báo chưa đọc",
  arrived: "{n} thông báo mới",
  isUnread: "Chưa đọc",
  readAll: "Đánh dấu tất cả là đã đọc",
  more: "Xem thêm",
  remove: "Xóa",
  removed: "Đã xóa",
  dismiss: "Đóng",
  empty: "Chưa có thông báo nào",
  offline: "Không có kết nối. Đang thử lại…",
  closed: "Không có kết nối.",
  failed: "Không tải được thông báo.",
  refused: "Không thực hiện được.",
  retry: "Thử lại",
};

/** @type {Texts} */
export const ar = {
  title: "الإشعارات",
  unread: {
    zero: "لا توجد إشعارات غير مقروءة",
    one: "إشعار واحد غير مقروء",
    two: "إشعاران غير مقروءين",
    few: "{n} إشعارات غير مقروءة",
    many: "{n} إشعارًا غير مقروء",
    other: "{n} إشعار غير مقروء",
  },
  arrived: {
    zero: "لا توجد إشعارات جديدة",
    one: "إشعار جديد",
    two: "إشعاران جديدان",
    few: "{n} إشعارات جديدة",
    many: "{n} إشعارًا جديدًا",
    other: "{n} إشعار جديد",
  },
  isUnread: "غير مقروء",
  readAll: "تحديد الكل كمقروء",
  more: "عرض المزيد",
  remove: "حذف",
  removed: "تم الحذف",
  dismiss: "إغلاق",
  empty: "لا توجد إشعارات بعد",
  offline: "لا يوجد اتصال. تجري إعادة المحاولة…",
  closed: "لا يوجد اتصال.",
  failed: "تعذّر تحميل الإشعارات.",
  refused: "تعذّر تنفيذ ذلك.",
  retry: "إعادة المحاولة",
};
