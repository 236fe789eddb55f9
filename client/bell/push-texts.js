// What the bell says about push, in each language that it knows.

const en = {
  ask: "Get notified when this page is closed?",
  yes: "Turn on",
  no: "Not now",
  isOn: "Push notifications are on.",
  settings: "Push notifications",
  here: "In this browser",
  blocked: "Blocked in the browser’s settings for this site.",
  paused: "Pause on all my devices",
  quiet: "Quiet hours",
  from: "From",
  to: "To",
};

/** @typedef {typeof en} PushTexts */

/** @type {Record<string, PushTexts>} */
export const pushTexts = {
  en,
  de: {
    ask: "Benachrichtigungen auch erhalten, wenn diese Seite geschlossen ist?",
    yes: "Einschalten",
    no: "Nicht jetzt",
    isOn: "Push-Benachrichtigungen sind eingeschaltet.",
    settings: "Push-Benachrichtigungen",
    here: "In diesem Browser",
    blocked: "In den Einstellungen des Browsers für diese Website blockiert.",
    paused: "Auf allen meinen Geräten pausieren",
    quiet: "Ruhezeit",
    from: "Von",
    to: "Bis",
  },
  vi: {
    ask: "Nhận thông báo ngay cả khi đã đóng trang này?",
    yes: "Bật",
    no: "Để sau",
    isOn: "Đã bật thông báo đẩy.",
    settings: "Thông báo đẩy",
    here: "Trên trình duyệt này",
    blocked: "Đã bị chặn trong cài đặt trình duyệt cho trang web này.",
    paused: "Tạm dừng trên tất cả thiết bị của tôi",
    quiet: "Giờ yên tĩnh",
    from: "Từ",
    to: "Đến",
  },
  ar: {
    ask: "هل تريد تلقي الإشعارات عندما تكون هذه الصفحة مغلقة؟",
    yes: "تفعيل",
    no: "ليس الآن",
    isOn: "تم تفعيل الإشعارات الفورية.",
    settings: "الإشعارات الفورية",
    here: "في هذا المتصفح",
    blocked: "محظورة في إعدادات المتصفح لهذا الموقع.",
    paused: "إيقاف مؤقت على جميع أجهزتي",
    quiet: "ساعات الهدوء",
    from: "من",
    to: "إلى",
  },
};
